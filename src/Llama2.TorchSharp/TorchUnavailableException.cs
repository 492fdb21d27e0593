namespace Llama2.TorchSharp;

/// <summary>libtorch, or the device that was asked for, is not there; the message says what to add.</summary>
public sealed class TorchUnavailableException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="TorchUnavailableException"/> class.</summary>
    /// <param name="device">The device that was asked for.</param>
    /// <param name="message">What is missing and what to add.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public TorchUnavailableException(string device, string message, Exception? innerException = null)
        : base(message, innerException) => Device = device;

    /// <summary>Gets the device that was asked for, such as <c>cuda:0</c>.</summary>
    public string Device { get; }
}
