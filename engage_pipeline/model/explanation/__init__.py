"""What a prediction is made of: contributions of the network, the trees and the effects."""
